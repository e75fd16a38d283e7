"""Data entry in the terminal: the form of a data set, its draft on disk, its screen, and what is sent of it.

form   what is entered, field by field      reading   it from a server       drafts   what is not sent yet
saving the writer and the way back          screen    the form in Textual
"""
