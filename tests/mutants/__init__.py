"""Mutation testing: would a fault in the rules be noticed by their tests?"""
