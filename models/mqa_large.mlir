// LLaMA-MQA large: multi-query attention, as in the paper.
t6.model @mqa_large uses @gqa {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {G = 1, J = 39, D = 64}}
