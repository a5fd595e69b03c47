"""What a core and a device share about their peers: sessions, trust, prekey stock, fan-out and the vault.

Knows nothing of sockets, the loop or any table; clock and randomness are arguments.
"""
