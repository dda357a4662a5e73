// LLaMA-MLA XL: multi-head latent attention, as in the paper.
t6.model @mla_xl uses @mla {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {H = 49, D = 64, P = 32, E = 64, L = 256, L_Q = 512}}
