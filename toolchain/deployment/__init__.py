"""From a built site to the hosts that serve it."""
