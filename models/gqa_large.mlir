// LLaMA-GQA large: grouped-query attention with two groups, as in the paper.
t6.model @gqa_large uses @gqa {
  vocab = 50304, layers = 36, width = 1280, ffn = 3413, context_length = 1024,
  sizes = {G = 2, J = 19, D = 64}}
