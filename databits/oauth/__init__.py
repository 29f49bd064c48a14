"""Tokens of a team's own sign-in server (an OAuth 2.1 authorization server): whose they are, and what they may.

trust      what the settings say about that server
keys       its signing keys, kept and renewed
tokens     an access token checked, and what it says
names      what somebody whom it names is called here
scopes     scopes as roles
entering   the actor that a token acts for
"""
