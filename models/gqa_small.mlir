// LLaMA-GQA small: grouped-query attention with two groups, as in the paper.
t6.model @gqa_small uses @gqa {
  vocab = 50304, layers = 12, width = 768, ffn = 2048, context_length = 1024,
  sizes = {G = 2, J = 11, D = 64}}
