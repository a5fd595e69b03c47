"""The webhook emitter: claims due deliveries from a core, posts them, reports back; it keeps nothing."""
