// LLaMA-GQA XL: grouped-query attention with two groups, as in the paper.
t6.model @gqa_xl uses @gqa {
  vocab = 50304, layers = 48, width = 1600, ffn = 4266, context_length = 1024,
  sizes = {G = 2, J = 24, D = 64}}
