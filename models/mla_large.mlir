// LLaMA-MLA large: multi-head latent attention, as in the paper.
t6.model @mla_large uses @mla {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {H = 34, D = 64, P = 32, E = 64, L = 256, L_Q = 512}}
