// LLaMA-GQA medium: grouped-query attention with two groups, as in the paper.
t6.model @gqa_medium uses @gqa {
  vocab = 50304, layers = 24, width = 1024, ffn = 2730, context_length = 1024,
  sizes = {G = 2, J = 15, D = 64}}
