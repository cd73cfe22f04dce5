"""Pages for app developers: their service instance, behind the platform's login."""
