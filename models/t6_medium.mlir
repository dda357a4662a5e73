// T6 medium: tensor product attention, as in the paper.
t6.model @t6_medium uses @tpa {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {H = 47, D = 64, R_Q = 6, R_K = 2, R_V = 2}}
