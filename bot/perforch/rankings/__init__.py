"""The paper's Memory: counted evidence about models, a posterior made of it, and the order in which to ask them."""
