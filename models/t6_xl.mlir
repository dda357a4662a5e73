// T6 XL: tensor product attention, as in the paper.
t6.model @t6_xl uses @tpa {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {H = 78, D = 64, R_Q = 6, R_K = 2, R_V = 2}}
