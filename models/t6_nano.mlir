// T6 nano: tensor product attention, for tests and demos, tokens are bytes.
t6.model @t6_nano uses @tpa {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {H = 8, D = 32, R_Q = 3, R_K = 2, R_V = 2}}
