"""The Signal protocol and Noise as pure functions of bytes; knows no socket, no clock, no store, no randomness."""
