"""OSC: messages of other programs as actions of an engine, and answers to them."""
