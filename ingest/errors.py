"""What a caller of the spool can decide on."""


class SpoolFull(Exception):
    """The quota or the disk is full: acknowledge nothing, read nothing more, try the same again later."""


class SpoolNewer(Exception):
    """The file was written by a newer program; nothing was changed in it."""


class MemberClaimed(Exception):
    """Another collector has a member that this one was told to begin with; nothing was taken or changed."""
