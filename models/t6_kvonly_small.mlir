// T6-KVonly small: tensor product attention on keys and values only, as in the paper.
t6.model @t6_kvonly_small uses @tpa_kvonly {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {H = 22, D = 64, R_K = 2, R_V = 2}}
