// T6-KVonly large: tensor product attention on keys and values only, as in the paper.
t6.model @t6_kvonly_large uses @tpa_kvonly {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {H = 37, D = 64, R_K = 2, R_V = 2}}
