"""What all tests share."""

from hypothesis import settings

# Examples are not timed: a busy machine is no defect of a codec.
settings.register_profile("pushlab", deadline=None)
settings.load_profile("pushlab")
