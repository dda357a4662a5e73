// LLaMA-MQA medium: multi-query attention, as in the paper.
t6.model @mqa_medium uses @gqa {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {G = 1, J = 31, D = 64}}
