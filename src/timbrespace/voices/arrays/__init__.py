"""Source D's designs: networks that translate spectrograms of 1024 x 128 between instruments, trained and used as voices are."""

from __future__ import annotations

# What `timbrespace presets` says of each preset; `designs.DESIGNS` has their classes.
DESCRIPTIONS = {
    "voices-conv-vae": "voices by one convolutional VAE on spectrograms, blended between mean latents (source D)",
    "voices-cyclegan": "voices by a CycleGAN of two instruments on spectrograms (source D)",
    "voices-cyclegan-image": "voices by a CycleGAN of two instruments on spectrograms as pictures (source D)",
    "voices-blended-vae": "voices by a VAE that learns mixed pairs of a CycleGAN (source D)",
    "voices-blended-gan": "voices by a GAN that learns mixed pairs of a CycleGAN (source D)",
    "voices-multi-encoder": "voices by a VAE with one encoder an instrument and one decoder (source D)",
}
