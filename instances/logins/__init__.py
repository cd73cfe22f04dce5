"""How persons are let in: by a provider of identities, or by a password.

A small flow of our own around joserfc, which judges the tokens: no token outlives the
request that it came with, so most of what an OAuth library does would lie idle.
mozilla-django-oidc neither compares a token's audience nor its issuer.
"""
