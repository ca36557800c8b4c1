"""Back-tests on files of the documented schema: forecasts, flags and states judged on what they could not see."""
