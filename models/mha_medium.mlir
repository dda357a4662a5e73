// LLaMA-MHA medium: multi-head attention, as in the paper.
t6.model @mha_medium uses @mha {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {H = 16, D = 64}}
