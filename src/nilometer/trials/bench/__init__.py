"""What one instrument does by itself: guided tests against standards, over a file or live.

A procedure (data file) says which standards to give and what is computed of them; a run tells the operator what to do
next and finds the part of each segment in which the signal is steady; statistics make figures of its readings; limits
(data files) say what a norm accepts, and how sure that is. Nothing here reads a file of data, a server or a clock.
"""
