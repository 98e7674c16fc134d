"""What a rendered sound is labelled with: its name, its nearest training sound, its note, its recipe. Without PyTorch."""
