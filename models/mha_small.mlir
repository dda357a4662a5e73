// LLaMA-MHA small: multi-head attention, as in the paper.
t6.model @mha_small uses @mha {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {H = 12, D = 64}}
