"""What is set while the system runs: settings, profile, certificates, and their backup."""
