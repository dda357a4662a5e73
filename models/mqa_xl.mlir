// LLaMA-MQA XL: multi-query attention, as in the paper.
t6.model @mqa_xl uses @gqa {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {G = 1, J = 49, D = 64}}
