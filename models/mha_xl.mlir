// LLaMA-MHA XL: multi-head attention, as in the paper.
t6.model @mha_xl uses @mha {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {H = 25, D = 64}}
