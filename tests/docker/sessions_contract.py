"""What an engine tells of who is connected."""


class SessionsContract:
    """Facts that EngineContract has among its own."""

    def test_who_is_connected_is_known(self):
        user, absent = self.created(), self.created()
        assert user.name not in self.engine.sessions(self.endpoint)
        held = [self.session(user), self.session(user)]
        held[0].write(user.database)
        found = self.engine.sessions(self.endpoint)
        assert found[user.name] == 2 and absent.name not in found
        for session in held:
            session.close()
