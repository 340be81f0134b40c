"""The paper's Memory: counted evidence about models, a posterior of it, and the order to ask them in."""
