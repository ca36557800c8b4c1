"""The ``resilian`` command: settings, one-process ``up`` and ``demo``, ``doctor``, ``bench``. Nothing imports it."""
