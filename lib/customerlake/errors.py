"""What can go wrong, one class per kind. Every message says what, where, what was found and what to do."""


class LakeError(Exception):
    """Any failure that customerlake foresees; its text is written for the person who ran the command."""


class ContractError(LakeError):
    """A frame, file or table does not hold what its declaration says."""


class ConfigError(LakeError):
    """A value in a configuration file or on the command line cannot be used."""


class LandingError(LakeError):
    """A landed file or folder cannot be read."""


class StorageError(LakeError):
    """The lake's root cannot be read or written."""


class ModelError(LakeError):
    """A model cannot be trained or loaded with what the lake holds."""


class JavaMissing(LakeError):
    """No Java that Spark can run on was found."""


class EngineError(LakeError):
    """The engine that was asked for cannot be started, or cannot do what a step needs."""


class LockedError(LakeError):
    """Another process is at work on the lake."""
