"""Training: recipe -> pairs made on the fly -> loop -> checkpoint -> model file and card."""
