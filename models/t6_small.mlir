// T6 small: tensor product attention, as in the paper.
t6.model @t6_small uses @tpa {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {H = 34, D = 64, R_Q = 6, R_K = 2, R_V = 2}}
