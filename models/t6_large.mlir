// T6 large: tensor product attention, as in the paper.
t6.model @t6_large uses @tpa {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {H = 61, D = 64, R_Q = 6, R_K = 2, R_V = 2}}
