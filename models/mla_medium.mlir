// LLaMA-MLA medium: multi-head latent attention, as in the paper.
t6.model @mla_medium uses @mla {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {H = 23, D = 64, P = 32, E = 64, L = 256, L_Q = 512}}
