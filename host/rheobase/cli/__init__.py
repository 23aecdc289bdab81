"""The commands of `rheo`. Thin: they read options, call a service, print. No service imports this folder."""
