// LLaMA-MLA small: multi-head latent attention, as in the paper.
t6.model @mla_small uses @mla {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {H = 12, D = 64, P = 32, E = 64, L = 256, L_Q = 512}}
