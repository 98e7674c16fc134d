"""Source D's adversarial designs: CycleGANs on arrays and on pictures, and models of what a CycleGAN's pairs sound like when mixed."""
