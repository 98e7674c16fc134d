"""What the training of voices needs beside the model: parts of long recordings, a working folder, how far instruments are apart."""
