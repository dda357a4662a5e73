// T6-KVonly medium: tensor product attention on keys and values only, as in the paper.
t6.model @t6_kvonly_medium uses @tpa_kvonly {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {H = 29, D = 64, R_K = 2, R_V = 2}}
