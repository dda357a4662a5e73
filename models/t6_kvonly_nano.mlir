// T6-KVonly nano: tensor product attention on keys and values only, for tests and demos, tokens are bytes.
t6.model @t6_kvonly_nano uses @tpa_kvonly {
  vocab = 257, layers = 4, width = 128, ffn = 341, context_length = 256,
  sizes = {H = 6, D = 32, R_K = 2, R_V = 2}}
