// T6-KVonly XL: tensor product attention on keys and values only, as in the paper.
t6.model @t6_kvonly_xl uses @tpa_kvonly {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {H = 47, D = 64, R_K = 2, R_V = 2}}
