// LLaMA-MHA large: multi-head attention, as in the paper.
t6.model @mha_large uses @mha {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {H = 20, D = 64}}
