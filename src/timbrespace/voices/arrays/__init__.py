"""Source D's designs: networks that translate spectrograms of 1024 x 128 between instruments, trained and used as voices are."""
