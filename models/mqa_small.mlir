// LLaMA-MQA small: multi-query attention, as in the paper.
t6.model @mqa_small uses @gqa {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {G = 1, J = 23, D = 64}}
