"""Settings all tests share: property tests have no deadline, since machines are shared and some are slow."""

from hypothesis import settings

settings.register_profile("edgepde", deadline=None)
settings.load_profile("edgepde")
